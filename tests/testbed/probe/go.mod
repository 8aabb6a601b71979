module whisper-operator.dev/testbed/probe

go 1.24
