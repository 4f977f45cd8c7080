package awslimits

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

func alarmPeriod(s Stage, report report) {
	const day = 86_400
	for a := range s.of("AWS::CloudWatch::Alarm") {
		periods := []float64{}
		if a.At("Period") != nil {
			periods = append(periods, a.number("Period", 0))
		}
		for _, metric := range a.list("Metrics") {
			if n, ok := number(at(metric, "MetricStat/Period")); ok {
				periods = append(periods, n)
			}
		}
		for _, period := range periods {
			if period != 10 && period != 20 && period != 30 && math.Mod(period, 60) != 0 {
				report(a, "Period", "is %v s, give 10, 20, 30 or a multiple of 60", period)
			}
			most := float64(day)
			if period >= 3600 {
				most = 7 * day
			}
			if window := period * a.number("EvaluationPeriods", 1); window > most {
				report(a, "EvaluationPeriods", "times the period is %v s, at most %v are taken: look at fewer", window, most)
			}
		}
		if points, of := a.number("DatapointsToAlarm", 1), a.number("EvaluationPeriods", 1); points > of {
			report(a, "DatapointsToAlarm", "is %v of %v periods: give fewer", points, of)
		}
	}
}

func alarmMetric(s Stage, report report) {
	for a := range s.of("AWS::CloudWatch::Alarm") {
		if a.At("MetricName") == nil {
			continue
		}
		for _, property := range []string{"Namespace", "Period", "EvaluationPeriods"} {
			if a.At(property) == nil {
				report(a, property, "is missing, which an alarm on a metric needs")
			}
		}
		if a.At("Threshold") == nil && a.At("ThresholdMetricId") == nil {
			report(a, "Threshold", "is missing, which an alarm on a metric needs")
		}
		if a.At("Statistic") == nil && a.At("ExtendedStatistic") == nil {
			report(a, "Statistic", "is missing, which an alarm on a metric needs")
		}
		if fault := repeated(a.list("Dimensions"), func(d any) any { return at(d, "Name") }); fault != "" {
			report(a, "Dimensions", "%s", fault)
		}
	}
}

var metricID = regexp.MustCompile(`^[a-z][A-Za-z0-9_]*$`)

// alarmExpression judges alarms on several metrics. The templates may have none.
func alarmExpression(s Stage, report report) {
	const most = 10
	for a := range s.of("AWS::CloudWatch::Alarm") {
		metrics := a.list("Metrics")
		if len(metrics) == 0 {
			continue
		}
		returned := 0
		for i, metric := range metrics {
			path := fmt.Sprint("Metrics/", i)
			id, _ := text(at(metric, "Id"))
			if !metricID.MatchString(id) {
				report(a, path+"/Id", "is %q: begin with a small letter, go on with letters, digits and underscores", id)
			}
			if at(metric, "ReturnData") != false {
				returned++
			}
			if count(metric, []any{"Expression", "MetricStat"}) != 1 {
				report(a, path, "has both or none of Expression and MetricStat: give one")
			}
		}
		if returned != 1 {
			report(a, "Metrics", "has %d with ReturnData, give exactly one", returned)
		}
		if len(metrics) > most {
			report(a, "Metrics", "has %d, at most %d are taken: make a second alarm", len(metrics), most)
		}
		if fault := repeated(metrics, func(m any) any { return at(m, "Id") }); fault != "" {
			report(a, "Metrics", "%s", fault)
		}
	}
}

func logGroupName(s Stage, report report) {
	for g := range s.of("AWS::Logs::LogGroup") {
		if name := g.text("LogGroupName"); strings.HasPrefix(name, "aws/") {
			report(g, "LogGroupName", "is %q: do not begin with aws/", name)
		}
	}
}
