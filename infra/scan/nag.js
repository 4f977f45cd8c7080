// Prints what the pack AwsSolutions of cdk-nag finds in templates, as one list in JSON.
const { App, Stack } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const { AwsSolutionsChecks } = require('cdk-nag');

const app = new App({ analyticsReporting: false });
const found = [];
process.argv.slice(2).forEach((templateFile, i) => {
  const stack = new Stack(app, `Template${i}`);
  const template = new CfnInclude(stack, 'Resources', { templateFile });
  for (const { ruleName, description, violatingResources } of new AwsSolutionsChecks().validateScope(stack).violations) {
    for (const { constructPath } of violatingResources) {
      const resource = constructPath.split('/').pop();
      found.push({
        Rule: ruleName, About: description, Template: templateFile, Resource: resource, Type: template.getResource(resource).cfnResourceType,
      });
    }
  }
});
console.log(JSON.stringify(found));
