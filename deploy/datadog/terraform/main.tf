resource "datadog_monitor_json" "monitor" {
  for_each = local.monitors
  monitor  = jsonencode(each.value)

  lifecycle {
    precondition {
      condition = !can(each.value.options.thresholds.warning) || (
        length(regexall("<=?\\s*[-0-9.eE+]+\\s*$", each.value.query)) > 0
        ? try(each.value.options.thresholds.warning > each.value.options.thresholds.critical, false)
        : try(each.value.options.thresholds.warning < each.value.options.thresholds.critical, false)
      )
      error_message = "The monitor would warn beyond its threshold: set warnings[\"${each.key}\"] too."
    }
    precondition {
      condition = alltrue([
        for given in [local.critical[each.key], local.warning[each.key]] :
        coalesce(given, 0) * local.monitor_files[local.watched[each.key].file].options.thresholds.critical >= 0
      ])
      error_message = "The number is on the other side of 0 than the monitor's own threshold, so it would alert always or never: a drop of 8 points is -8."
    }
    precondition {
      condition     = length(local.unknown) == 0
      error_message = "No monitor is named ${join(", ", local.unknown)}: the names are ${join(", ", keys(local.watched))}."
    }
  }
}

resource "datadog_dashboard_json" "dashboard" {
  for_each  = { for name, dashboard in local.dashboards : name => dashboard if var.dashboards }
  dashboard = jsonencode(each.value)
}
