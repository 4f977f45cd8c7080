package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	known := accepted{"A1": {"AWS::SQS::Queue": "because"}, "A2": {"AWS::SNS::Topic": "because"}}
	found := []finding{
		{"one", "A1", "AWS::SQS::Queue", "dns/orders.template.json", "Queue", "open"},
		{"one", "A1", "AWS::SNS::Topic", "dns/orders.template.json", "Topic", "open"},
		{"one", "A1", "AWS::SNS::Topic", "registry/orders.template.json", "Topic", "open"},
		{"one", "A1", "AWS::SNS::Topic", "registry/users.template.json", "Topic", "open"},
		{"two", "B1", "AWS::SQS::Queue", "dns/orders.template.json", "Queue", "open"},
	}
	faults, summary := judge(found, known)
	if diff := cmp.Diff([]string{
		"A1 of AWS::SNS::Topic: open\n  orders/Topic\n  users/Topic",
		"A2 of AWS::SNS::Topic is accepted and found nowhere: remove the reason",
		"B1 of AWS::SQS::Queue: open\n  orders/Queue",
	}, faults); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"one: 4 findings, 1 accepted", "two: 1 findings, 0 accepted", "1 reasons"}, summary); diff != "" {
		t.Error(diff)
	}
}

func TestMatches(t *testing.T) {
	tests := map[[2]string]bool{
		{"A1", "A1"}: true, {"A1", "A12"}: false,
		{"A[…/stream/*]", "A[<Table.Arn>/stream/*]"}: true, {"A[…/stream/*]", "A[*]"}: false,
		{"A[arn:…:function:…-*]", "A[arn:aws:lambda:a:1:function:orders-*]"}: true, {"A[…]", "B[a]"}: false,
	}
	for pair, want := range tests {
		if got := matches(pair[0], pair[1]); got != want {
			t.Errorf("%s, %s: %v", pair[0], pair[1], got)
		}
	}
}

func TestAccepted(t *testing.T) {
	known, err := readAccepted(reasons)
	if err != nil || len(known) == 0 {
		t.Errorf("%d rules: %v", len(known), err)
	}
	if _, err := readAccepted([]byte("A1:\n  AWS::SQS::Queue:\n")); err == nil {
		t.Error("a finding was accepted without a reason")
	}
}
