module whisper-operator.dev/testbed/pause

go 1.24
