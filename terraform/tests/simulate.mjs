// Evaluates requests by IAM's rules: reads [{action, resource, principal, policies, boundary, context}] and prints a list of
// decisions. An action that does not exist, or that does not take the resource, is an error and no decision.
// usage: simulate.mjs <folder with node_modules>
import { readFileSync } from "node:fs";

const library = (name) => import(`${process.argv[2]}/node_modules/@cloud-copilot/${name}/dist/esm/index.js`);
const { runSimulation } = await library("iam-simulate");

const named = (policies) => policies.map((policy, index) => ({ name: `${index}`, policy }));

async function decide({ action, resource, principal, policies, boundary, context }) {
  const accountId = principal.split(":")[4];
  const result = await runSimulation(
    {
      request: { principal, action, resource: { resource, accountId }, contextVariables: context },
      identityPolicies: named(policies),
      permissionBoundaryPolicies: boundary ? named([boundary]) : undefined,
      // The keys here leave it to IAM's policies who uses them.
      resourcePolicy: action.startsWith("kms:") && resource !== "*" ? delegated(accountId) : undefined,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  return result.errors ? `error: ${result.errors.message}` : result.overallResult;
}

function delegated(account) {
  const statement = { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: "kms:*", Resource: "*" };
  return { Version: "2012-10-17", Statement: [statement] };
}

// The evaluator drops keys of encryption contexts, which have no fixed names. Another key of the same type and actions stands for them.
const asked = JSON.parse(readFileSync(0, "utf8").replaceAll("kms:EncryptionContext:SecretARN", "kms:RequestAlias"));
console.log(JSON.stringify(await Promise.all(asked.map(decide))));
