SELECT retention_seconds FROM tenants WHERE name = $1
