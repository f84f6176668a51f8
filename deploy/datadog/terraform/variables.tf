variable "env" {
  description = "Value of the tag env that the monitors watch, such as prod."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9_./-]+$", var.env))
    error_message = "Want lower-case letters, digits and _ . / -"
  }
}

variable "notify" {
  description = "Recipients of the monitors as Datadog writes them, such as [\"@slack-llm\", \"@pagerduty\"]."
  type        = list(string)
  default     = []
}

variable "team" {
  description = "Value of the tag team; empty: no such tag."
  type        = string
  default     = ""
}

variable "docs" {
  description = "Base URL of this project's docs folder, for links to runbooks, without a slash at its end."
  type        = string
  default     = "https://github.com/evalworker/evalworker/blob/main/docs"
}

variable "evaluators" {
  description = "Evaluators that each get the monitors of quality."
  type        = list(string)
  default     = ["correctness"]
}

variable "without" {
  description = "Names of monitors and dashboards that are left out."
  type        = list(string)
  default     = []
}

variable "dashboards" {
  description = "Whether dashboards are made. They serve all environments of an organisation: make them in one."
  type        = bool
  default     = true
}

variable "thresholds" {
  description = "Thresholds by the name of the monitor, in place of its own. Those of recovery then go."
  type        = map(number)
  default     = {}
}

variable "warnings" {
  description = "Warning thresholds by the name of the monitor, in place of its own."
  type        = map(number)
  default     = {}
}

variable "objectives" {
  description = "Share of verdicts of an evaluator that should pass within 30 days, in percent, such as {correctness = 95}. Each gets an objective and its alerts."
  type        = map(number)
  default     = {}
  validation {
    condition     = alltrue([for target in values(var.objectives) : target > 0 && target < 100])
    error_message = "Want a percentage between 0 and 100."
  }
}

variable "burn_rates" {
  description = "How fast an error budget may burn, as a multiple of the rate that uses it up in 30 days, over a long and a short window that both have to show it."
  type = map(object({
    rate     = number
    long     = string
    short    = string
    priority = number
  }))
  # 2 % of the budget in an hour, 5 % in six, 10 % in a day. Datadog takes long windows up
  # to 48 hours, so the usual third step, 1 over three days, is 3 over one.
  default = {
    fast   = { rate = 14.4, long = "1h", short = "5m", priority = 1 }
    medium = { rate = 6, long = "6h", short = "30m", priority = 2 }
    slow   = { rate = 3, long = "24h", short = "2h", priority = 3 }
  }
}

variable "least_verdicts" {
  description = "Sampled verdicts that a long window must hold before its burn rate notifies anybody: a rate of a few is chance. 0: no such guard."
  type        = number
  default     = 50
}

variable "metrics" {
  description = "Names of metrics whose unit, description and percentiles are set, or [\"*\"] for all of docs/metrics.md. Datadog refuses a metric that it has never received."
  type        = list(string)
  default     = []
}
