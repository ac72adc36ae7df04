// Reads a JSON list of custom resources from standard input, and prints one JSON list of problems:
// [index, message]. A resource without a model is a problem.
const PACKAGES = {
  "keda.sh": "@kubernetes-models/keda",
  "kafka.strimzi.io": "@kubernetes-models/strimzi-kafka-operator",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};

let text = "";
for await (const chunk of process.stdin) text += chunk;
const problems = [];
for (const [index, resource] of JSON.parse(text).entries()) {
  const { apiVersion, kind } = resource;
  const package_ = PACKAGES[apiVersion.split("/")[0]];
  try {
    if (package_ === undefined) throw new Error(`no package has models of ${apiVersion}`);
    const models = await import(`${package_}/${apiVersion}/${kind}`);
    new models[kind](resource).validate();
  } catch (error) {
    problems.push([index, error.message]);
  }
}
process.stdout.write(JSON.stringify(problems));
