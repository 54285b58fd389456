import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Receives traces in place of Jaeger and drops them. It is a process of its own, so that the cost of receiving is not
 * measured. `GET` returns the number of bytes so far; the parent gets the port.
 */
let bytes = 0;

const server = createServer((request, response) => {
  if (request.method === 'GET') return void response.end(JSON.stringify({ bytes }));
  request.on('data', (chunk: Buffer) => (bytes += chunk.length));
  request.on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
});

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
