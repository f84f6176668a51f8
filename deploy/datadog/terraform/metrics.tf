locals {
  # Generated from the table in the package telemetry. The scores of evaluators have a
  # metric each.
  table = jsondecode(file("${path.module}/metrics.json"))
  named = merge(
    { for metric in local.table : metric.name => metric if !endswith(metric.name, "<name>") },
    merge([
      for metric in local.table : {
        for evaluator in var.evaluators : replace(metric.name, "<name>", evaluator) => metric
      } if endswith(metric.name, "<name>")
    ]...)
  )
  metrics = { for name, metric in local.named : name => metric if contains(var.metrics, "*") || contains(var.metrics, name) }
}

resource "datadog_metric_metadata" "metric" {
  for_each    = local.metrics
  metric      = each.key
  type        = each.value.type
  unit        = each.value.unit == "" ? null : each.value.unit
  description = each.value.description
}

# Percentiles of a distribution exist in Datadog only where they are turned on. The tags
# are all that the metric may carry, and those of every metric.
resource "datadog_metric_tag_configuration" "percentiles" {
  for_each            = { for name, metric in local.metrics : name => metric if metric.percentiles }
  metric_name         = each.key
  metric_type         = "distribution"
  tags                = distinct(concat(each.value.tags, ["env", "service", "version", "host"]))
  include_percentiles = true
}
