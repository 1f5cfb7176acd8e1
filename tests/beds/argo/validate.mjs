// Checks Kubernetes objects with the validators that the npm packages generate from the Go types,
// and refuses fields that no validator looks at.
//
//   node validate.mjs NODE_MODULES < objects.json     (a list of {file, object})
//
// The validators are compiled functions that let unknown fields pass. Each of them reads all properties that its schema
// knows, so an object that notes what is read tells which fields no schema knows.
// Prints a list of {file, problem}, as JSON.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.argv[2];
const argo = "ComGithubArgoprojArgoWorkflowsV4PkgApisWorkflowV1alpha1";
const schemas = {
  "argoproj.io/v1alpha1": (kind) => `@kubernetes-models/argo-workflows/_schemas/${argo}${kind}.js`,
  "rbac.authorization.k8s.io/v1": (kind) => `kubernetes-models/_schemas/IoK8sApiRbacV1${kind}.js`,
  v1: (kind) => `kubernetes-models/_schemas/IoK8sApiCoreV1${kind}.js`,
};

/** Wraps a value so that each property that is read is noted under its path. */
function watched(value, path, read) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, key) {
      const inner = target[key];
      if (typeof key !== "string" || !Object.hasOwn(target, key)) return inner;
      const below = `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      read.add(below);
      return watched(inner, below, read);
    },
  });
}

/** Paths of all properties and elements. */
function* paths(value, path) {
  if (value === null || typeof value !== "object") return;
  for (const key of Object.keys(value)) {
    const below = `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    yield below;
    yield* paths(value[key], below);
  }
}

/** Kubernetes' container needs a name; Argo takes its type but gives the name itself, and its CRDs do not ask for it. */
function nameOfContainer(error) {
  return error.params?.missingProperty === "name" && /\/(container|script)$/.test(error.instancePath);
}

const problems = [];
for (const { file, object } of JSON.parse(readFileSync(0, "utf8"))) {
  const schema = schemas[object?.apiVersion]?.(object.kind);
  if (schema === undefined) {
    problems.push({ file, problem: `no validator for ${object?.apiVersion} ${object?.kind}` });
    continue;
  }
  const { validate } = await import(pathToFileURL(join(modules, schema)));
  const read = new Set();
  if (!validate(watched(object, "", read))) {
    for (const error of validate.errors) {
      if (nameOfContainer(error)) continue;
      problems.push({ file, problem: `${error.instancePath}: ${error.keyword} ${JSON.stringify(error.params)}` });
    }
  }
  for (const path of paths(object, "")) {
    // Below an unknown field everything is unknown; the field itself says enough.
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (!read.has(path) && (parent === "" || read.has(parent))) {
      problems.push({ file, problem: `${path}: unknown field` });
    }
  }
}
console.log(JSON.stringify(problems));
