"""The operator: WhisperTranscribers and TranscriptionJobs become running services and transcripts."""
