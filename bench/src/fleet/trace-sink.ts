import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Stands in for Jaeger: takes what the fleet exports and forgets it. A process of its own, so that the cost of
 * receiving is nobody's. `GET` says how much has come; the port goes to the parent.
 */
let bytes = 0;

const server = createServer((request, response) => {
  if (request.method === 'GET') return void response.end(JSON.stringify({ bytes }));
  request.on('data', (chunk: Buffer) => (bytes += chunk.length));
  request.on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
});

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
