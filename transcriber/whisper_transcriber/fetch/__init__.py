"""Users' URLs: audio is fetched by the service itself and never by a media library, events and results are sent."""
