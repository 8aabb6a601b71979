"""The generated files: CRDs, the chart's copy of them, and the API reference. Edit the models in api/ instead."""
