locals {
  objective_tags = concat(["managed_by:terraform", "env:${var.env}"], var.team == "" ? [] : ["team:${var.team}"])

  # One alert for each objective and burn rate.
  burns = merge([
    for evaluator in keys(var.objectives) : {
      for speed, burn in var.burn_rates : "${evaluator}-${speed}" => merge(burn, { evaluator = evaluator, speed = speed })
    }
  ]...)
}

# Weighted verdicts estimate all traffic: each counts 1/p times, where p is the probability
# with which it was sampled. Counts of what was sampled would be biased, because failing
# requests are sampled more.
resource "datadog_service_level_objective" "quality" {
  for_each    = var.objectives
  name        = "[evalworker] ${each.key} passes (${var.env})"
  description = "Share of all answers of which the evaluator ${each.key} would say that they pass, out of those on which it decides."
  type        = "metric"
  tags        = concat(local.objective_tags, ["eval:${each.key}"])

  query {
    numerator   = "sum:llm.eval.weighted{env:${var.env} AND eval:${each.key} AND outcome:pass}.as_count()"
    denominator = "sum:llm.eval.weighted{env:${var.env} AND eval:${each.key} AND outcome IN (pass,fail)}.as_count()"
  }

  thresholds {
    timeframe = "30d"
    target    = each.value
  }
}

# With a guard, nobody is notified by this monitor, but by the composite one below.
resource "datadog_monitor" "burn" {
  for_each = local.burns
  name     = "[evalworker] ${each.value.evaluator}: the error budget burns, ${each.value.speed} (${var.env})"
  type     = "slo alert"
  query    = "burn_rate(\"${datadog_service_level_objective.quality[each.value.evaluator].id}\").over(\"30d\").long_window(\"${each.value.long}\").short_window(\"${each.value.short}\") > ${each.value.rate}"
  message  = var.least_verdicts > 0 ? "The composite monitor of this name notifies." : local.burn_message[each.key]
  priority = each.value.priority
  tags     = concat(local.objective_tags, ["eval:${each.value.evaluator}"])

  monitor_thresholds {
    critical = each.value.rate
  }
}

locals {
  burn_message = {
    for name, burn in local.burns : name => join("\n\n", [
      "Answers fail ${burn.evaluator} so often that the error budget of 30 days burns ${burn.rate} times too fast, over ${burn.long} and over ${burn.short}.",
      "Runbook: ${var.docs}/runbooks/slo-burn.md",
      join(" ", var.notify),
    ])
  }
}

# The number of sampled verdicts in the long window. It is above its threshold whenever
# there is enough traffic, which is no reason to notify anybody.
resource "datadog_monitor" "verdicts" {
  for_each = { for name, burn in local.burns : name => burn if var.least_verdicts > 0 }
  name     = "[evalworker] ${each.value.evaluator}: enough verdicts for the ${each.value.speed} burn rate (${var.env})"
  type     = "query alert"
  query    = "sum(last_${each.value.long == "24h" ? "1d" : each.value.long}):sum:llm.eval.count{env:${var.env} AND eval:${each.value.evaluator} AND outcome IN (pass,fail)}.as_count() > ${var.least_verdicts}"
  message  = "A part of a composite monitor: above its threshold when there is enough traffic for a rate. It notifies nobody."
  priority = 5
  tags     = concat(local.objective_tags, ["eval:${each.value.evaluator}"])

  require_full_window = false
  monitor_thresholds {
    critical = var.least_verdicts
  }
}

resource "datadog_monitor" "burn_with_traffic" {
  for_each = { for name, burn in local.burns : name => burn if var.least_verdicts > 0 }
  name     = "[evalworker] ${each.value.evaluator}: the error budget burns, ${each.value.speed}, on enough verdicts (${var.env})"
  type     = "composite"
  query    = "${datadog_monitor.burn[each.key].id} && ${datadog_monitor.verdicts[each.key].id}"
  message  = local.burn_message[each.key]
  priority = each.value.priority
  tags     = concat(local.objective_tags, ["eval:${each.value.evaluator}"])
}
