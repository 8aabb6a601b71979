"""Audio by URL, fetched by the service itself and never by a media library."""
