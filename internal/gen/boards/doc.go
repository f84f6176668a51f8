// Package boards draws pictures of the dashboards in deploy/datadog, so that the
// documentation shows what a board looks like before anybody installs it.
//
// It reads a dashboard's JSON as Datadog's API takes it, lays the widgets out on the
// same grid of twelve columns, and evaluates every query and formula on a simulated
// day ([world]): three features, two models, and two releases of a prompt of which the
// second is bad. The queries' tags give the series, so a query that cannot have data
// is seen. What it cannot draw is an error: a widget or function that it does not know, a
// title or note that does not fit its place. Queries, tags and the grid have to be right:
// deploy/datadog/lint checks them, and the generator asks it first.
//
// It is an approximation of Datadog's drawing, not of its numbers: percentiles of a
// group are means of those of its parts, and a scalar percentile is a mean over time.
// The same input gives the same bytes.
package boards
