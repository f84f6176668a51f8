# Monitors, dashboards, objectives and metadata of evalworker in Datadog. docs/datadog.md
# shows how the module is used, and when the command "evalworker datadog apply" is the
# better way. Both read the same files: use one of the two in an environment.
terraform {
  required_version = ">= 1.5"
  required_providers {
    datadog = {
      source  = "DataDog/datadog"
      version = ">= 3.50"
    }
  }
}
