// Package terraform tests the Terraform module in deploy/datadog/terraform with the
// library that Terraform reads its language with: what it declares and uses, that its
// resources can be evaluated, and that it renders monitors and dashboards exactly as the
// command evalworker datadog render does. It is a module of its own, so that the program
// does not carry that library. Neither Terraform nor a provider runs.
package terraform
