// Starting, stopping and asking the binary under test.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const START_MS = 20_000
const STOP_MS = 10_000

/** The `seawall` under test: $SEAWALL_BIN, else what `make test` builds, else what a developer built. */
function binary() {
  const builds = [join(ROOT, 'target/ci/seawall'), join(ROOT, 'target/debug/seawall')]
  const named = process.env.SEAWALL_BIN
  const found = named ? resolve(named) : builds.find((path) => existsSync(path))
  assert.ok(found, `no seawall binary at ${builds.join(', ')}: build one or set SEAWALL_BIN`)
  return found
}

/** Nobody's keys, proxies or settings. */
const environment = (home) => ({ PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8' })

/** A folder that is gone when the tests are done. */
export async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'seawall-node-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** Runs `seawall ARGUMENTS`; gives the facts of its ready line and `stop`. */
export async function serve(folder, ...args) {
  const child = spawn(binary(), args, { cwd: folder, env: environment(folder), stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-4000)))
  const exited = once(child, 'exit')
  const giveUp = setTimeout(() => child.kill('SIGKILL'), START_MS)
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('seawall ready ')) continue
    clearTimeout(giveUp)
    const facts = Object.fromEntries(line.split(' ').slice(2).map((fact) => fact.split(/=(.*)/s, 2)))
    return { url: facts.listen, run: facts.run, stop: () => stop(child, exited) }
  }
  clearTimeout(giveUp)
  throw new Error(`seawall ${args.join(' ')} did not get ready; it wrote:\n${log}`)
}

async function stop(child, exited) {
  child.kill('SIGTERM')
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(kill)
}

/** What `seawall ARGUMENTS` prints. */
export async function command(folder, ...args) {
  const options = { cwd: folder, env: environment(folder), timeout: 30_000, maxBuffer: 64 * 1024 * 1024 }
  return (await promisify(execFile)(binary(), args, options)).stdout
}
