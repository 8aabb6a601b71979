"""The truth about jobs: PostgreSQL in a service, memory in tests, both behind one port."""
