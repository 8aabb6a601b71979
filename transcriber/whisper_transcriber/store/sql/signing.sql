SELECT webhook_generation, webhook_previous_until FROM tenants WHERE name = $1
