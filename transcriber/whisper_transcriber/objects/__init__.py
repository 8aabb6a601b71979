"""Audio and results as objects: any S3 in a service, a folder on one machine, both behind one port."""
