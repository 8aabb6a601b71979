"""The HTTP API: one router per resource, thin handlers, OpenAI's shapes for bodies and errors."""
