import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate for loopback that vouches for itself, valid for a day. Needs the `openssl` program. */
export class Certificate {
  private constructor(private readonly folder: string) {}

  static async make(): Promise<Certificate> {
    const certificate = new Certificate(await mkdtemp(join(tmpdir(), 'tps-tls-')));
    await certificate.renew();
    return certificate;
  }

  get cert(): string {
    return join(this.folder, 'cert.pem');
  }

  get key(): string {
    return join(this.folder, 'key.pem');
  }

  /** Another certificate with another key, in the same files. */
  async renew(): Promise<void> {
    await run('openssl', [
      ...['req', '-x509', '-nodes', '-days', '1', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
      ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
      ...['-keyout', this.key, '-out', this.cert],
    ]);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
