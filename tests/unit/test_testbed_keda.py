"""KEDA with one scaler: what is cut out of its sources."""

from testbed import keda

BUILDER = """\
	switch triggerType {
	case "activemq":
		return scalers.NewActiveMQScaler(config)
	case "metrics-api":
		return scalers.NewMetricsAPIScaler(config, client)
	case "aws-sqs-queue", "sqs":
		return scalers.NewAwsSqsQueueScaler(ctx, config)
	default:
		return nil, fmt.Errorf("no scaler found for type: %s", triggerType)
	}
"""


def test_only_the_scalers_that_are_kept_can_be_chosen() -> None:
    assert keda.trimmed(BUILDER, frozenset({"NewMetricsAPIScaler"})) == (
        "\tswitch triggerType {\n"
        '\tcase "metrics-api":\n'
        "\t\treturn scalers.NewMetricsAPIScaler(config, client)\n"
        "\tdefault:\n"
        '\t\treturn nil, fmt.Errorf("no scaler found for type: %s", triggerType)\n'
        "\t}\n"
    )
    assert keda.trimmed(BUILDER, frozenset()).count("case") == 0
