"""Pure figures of reports, without a model."""
