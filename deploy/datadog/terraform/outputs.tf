output "monitors" {
  description = "Ids of the monitors, by their evalworker_id."
  value       = { for name, monitor in datadog_monitor_json.monitor : name => monitor.id }
}

output "dashboards" {
  description = "Ids of the dashboards, by their evalworker_id."
  value       = { for name, dashboard in datadog_dashboard_json.dashboard : name => dashboard.id }
}

output "objectives" {
  description = "Ids of the objectives, by the name of the evaluator."
  value       = { for name, objective in datadog_service_level_objective.quality : name => objective.id }
}
