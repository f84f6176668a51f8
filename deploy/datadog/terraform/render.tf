# What "evalworker datadog render" does, on the same files. test/terraform compares both.
locals {
  # Placeholders stand inside strings of JSON.
  placeholders = {
    for name, value in { env = var.env, notify = join(" ", var.notify), docs = var.docs, team = var.team } :
    name => trimsuffix(trimprefix(jsonencode(value), "\""), "\"")
  }

  monitor_files = {
    for file in fileset("${path.module}/../monitors", "*.json") :
    trimsuffix(file, ".json") => jsondecode(templatefile("${path.module}/../monitors/${file}", local.placeholders))
    if !contains(var.without, trimsuffix(file, ".json"))
  }

  # The one evaluator that a query names; empty for none and for several.
  evaluator_of = {
    for name, monitor in local.monitor_files :
    name => join("", [
      for found in [distinct([
        for word in flatten(regexall("\\b(?:eval:|llm\\.eval\\.)([a-z0-9_]+)", monitor.query)) :
        word if !contains(["count", "weighted", "user_feedback"], word)
      ])] : length(found) == 1 ? found[0] : ""
    ])
  }

  # The monitors by their evalworker_id: one of each file, or one for each evaluator.
  watched = merge(
    { for name, own in local.evaluator_of : name => { file = name, own = "", evaluator = "" } if own == "" },
    merge([
      for name, own in local.evaluator_of : {
        for evaluator in var.evaluators :
        (evaluator == own ? name : "${name}-${evaluator}") => { file = name, own = own, evaluator = evaluator }
      } if own != ""
    ]...)
  )

  critical = { for id, w in local.watched : id => try(var.thresholds[id], var.thresholds[w.file], null) }
  warning  = { for id, w in local.watched : id => try(var.warnings[id], var.warnings[w.file], null) }

  # The word that names the evaluator of the file; without one, what matches nothing. Links
  # to runbooks and names of monitors keep the word.
  word = {
    for id, w in local.watched :
    id => w.own == "" ? "/[^\\s\\S]/" : "/(^|[^\\w/-])${w.own}($|[^\\w-])/"
  }

  monitors = {
    for id, w in local.watched : id => merge(local.monitor_files[w.file], {
      name = "${replace(
        replace(local.monitor_files[w.file].name, local.word[id], "$${1}${w.evaluator}$${2}"),
        "[evalworker] ", w.evaluator == w.own ? "[evalworker] " : "[evalworker] ${w.evaluator}: "
      )} (${var.env})"
      message = replace(local.monitor_files[w.file].message, local.word[id], "$${1}${w.evaluator}$${2}")
      query = replace(
        replace(local.monitor_files[w.file].query, local.word[id], "$${1}${w.evaluator}$${2}"),
        local.critical[id] == null ? "/[^\\s\\S]/" : "/([<>]=?\\s*)-?[0-9.]+(?:[eE][-+]?[0-9]+)?\\s*$/",
        "$${1}${coalesce(local.critical[id], 0)}"
      )
      tags = [
        for tag in local.monitor_files[w.file].tags :
        tag == "evalworker_id:${w.file}" ? "evalworker_id:${id}" : replace(tag, local.word[id], "$${1}${w.evaluator}$${2}")
        if tag != "team:"
      ]
      options = merge(local.monitor_files[w.file].options, {
        thresholds = merge(
          {
            for name, value in local.monitor_files[w.file].options.thresholds : name => value
            if !(startswith(name, "critical") && local.critical[id] != null) && !(startswith(name, "warning") && local.warning[id] != null)
          },
          { for name, value in { critical = local.critical[id], warning = local.warning[id] } : name => value if value != null }
        )
      })
    })
  }

  dashboard_files = {
    for file in fileset("${path.module}/../dashboards", "*.json") :
    trimsuffix(file, ".json") => jsondecode(templatefile("${path.module}/../dashboards/${file}", local.placeholders))
    if !contains(var.without, trimsuffix(file, ".json"))
  }

  dashboards = {
    for name, dashboard in local.dashboard_files :
    name => merge(dashboard, { tags = [for tag in dashboard.tags : tag if tag != "team:"] })
  }

  # Names of thresholds that no monitor has.
  unknown = setsubtract(concat(keys(var.thresholds), keys(var.warnings)), concat(keys(local.watched), keys(local.monitor_files)))
}
