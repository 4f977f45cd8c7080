// Command infra writes the platform's CloudFormation templates.
//
// It is an ordinary program: run it from the project's root and it writes to the
// folder in CDK_OUTDIR what the context in CDK_CONTEXT_JSON asks for: stageFile, the file
// of a stage on AWS (package stages), or local and discovery for the local endpoint, and
// arch and dist. The CDK's tools then deploy that folder. The binaries of the functions
// must have been built before.
//
// The CDK validates the finished templates, and a finding is an error. That is most
// of the time a synthesis takes, so it can be left out with CDK_VALIDATION=false
// where AWS will never see them.
package main

import (
	"log"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"tradewind/infra/stacks"
)

func main() {
	if err := synth(); err != nil {
		log.Fatal("infra: ", err)
	}
}

func synth() error {
	defer jsii.Close()
	app := stacks.NewApp(awscdk.AppProps{})
	config, err := stacks.FromContext(app.Node())
	if err != nil {
		return err
	}
	if err := stacks.Build(app, config); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}
