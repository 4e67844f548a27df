// One simulated provider and one gateway in front of it, with what both have recorded.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { command, serve, temporaryFolder } from './process.mjs'

const ENDS = ['action.settled', 'action.abandoned']
const WAIT_MS = 10_000

/** Dollars as whole pico-dollars: money is not compared as floats. */
export function picos(dollars) {
  const [whole, part = ''] = String(dollars).split('.')
  assert.match(`${whole}${part}`, /^\d+$/, `not an amount: ${dollars}`)
  return BigInt(whole + part.padEnd(12, '0').slice(0, 12))
}

/** What a `sim-*` model costs, in pico-dollars: 1 and 2 dollars a million tokens. */
export const price = ([input, output]) => BigInt(input) * 1_000_000n + BigInt(output) * 2_000_000n

/** What `look` sees as soon as it sees something: for what another process does, never for repeating a failed test. */
async function until(what, look) {
  const deadline = Date.now() + WAIT_MS
  for (;;) {
    const seen = await look()
    if (seen) return seen
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`)
    await pause(10)
  }
}

/** Starts both. Options: `budget` in dollars. */
export async function startStack({ budget = '10' } = {}) {
  const folder = await temporaryFolder()
  const upstream = await serve(folder.path, 'sim', '--listen', '127.0.0.1:0')
  const data = join(folder.path, 'data')
  const flags = ['--listen', '127.0.0.1:0', '--upstream', upstream.url, '--data-dir', data, '--budget', budget]
  const server = await serve(folder.path, 'proxy', ...flags)
  const seawall = (...args) => command(folder.path, ...args, '--json', '--data-dir', data)

  await until('the trace has the run', () => seawall('trace', 'show', server.run).catch(() => undefined))
  const events = async () => {
    const lines = await seawall('trace', 'show', server.run)
    return lines.split('\n').filter(Boolean).map((line) => JSON.parse(line))
  }
  const stats = async () => (await fetch(`${upstream.url}/sim/stats`)).json()
  const idle = () =>
    until('the simulated provider has no request in flight', async () => {
      const now = await stats()
      return now.in_flight === 0 && now
    })

  const stop = async () => {
    try {
      await assertBooksClose({ seawall, events, idle })
    } finally {
      await server.stop()
      await upstream.stop()
      await folder.remove()
    }
  }
  return { url: server.url, run: server.run, stats, idle, fromNow: () => fromNow(events), stop }
}

/** A stack of one test, for those whose upstream fails: its breaker would refuse the calls of the next tests. */
export async function withOwnStack(use) {
  const stack = await startStack()
  try {
    await use(stack)
  } finally {
    await stack.stop()
  }
}

/** The calls that are made from now on. */
function fromNow(events) {
  const since = nextMillisecond()
  const isNew = ({ data, ts }) => data.kind === 'model_call' && Date.parse(ts) >= since
  const modelCalls = async () => (await events()).filter(isNew)

  /** The `count` calls there were, once all of them have ended: each admitted once and ended once. */
  const calls = (count) =>
    until(`${count} calls are admitted and ended in the trace`, async () => {
      const all = await modelCalls()
      const admitted = all.filter((event) => event.kind === 'action.admitted')
      // What is not among them is the end of an earlier call.
      const isAdmitted = ({ action }) => admitted.some((event) => event.action === action)
      const ended = all.filter((event) => ENDS.includes(event.kind) && isAdmitted(event))
      if (ended.length < count || ended.length < admitted.length) return undefined
      assert.equal(admitted.length, count)
      assert.deepEqual(ended.map((event) => event.action).sort(), admitted.map((event) => event.action).sort())
      return ended.map(asCall)
    })
  const one = async () => (await calls(1))[0]

  /** The data of the only refusal there was. */
  const denied = async () => {
    const found = await until('a refusal is in the trace', async () => {
      const all = await modelCalls()
      return all.length > 0 && all
    })
    assert.deepEqual(found.map((event) => event.kind), ['action.denied'])
    return found[0].data
  }
  return { calls, one, denied }
}

/** A time that is after everything that has happened; the clock shows whole milliseconds. */
function nextMillisecond() {
  const last = Date.now()
  for (;;) {
    const now = Date.now()
    if (now > last) return now
  }
}

function asCall({ action, data }) {
  const { usage = {} } = data
  return {
    action,
    status: data.status,
    ended: data.ended,
    tokens: [usage.input_tokens, usage.output_tokens],
    isEstimated: usage.estimated,
    cost: picos(data.cost_usd),
  }
}

/** The answer's headers name the run, the action and the verdict that the trace has. */
export function assertTold(stack, headers, call) {
  const get = (name) => (typeof headers.get === 'function' ? headers.get(name) : headers[name])
  assert.equal(get('x-seawall-run'), stack.run)
  assert.equal(get('x-seawall-action'), call.action)
  assert.equal(get('x-seawall-verdict'), 'allow')
  assert.ok(get('x-request-id'))
}

/** Every call that was admitted has ended once, nothing is held, and the books hold no less than what was served. */
async function assertBooksClose({ seawall, events, idle }) {
  const truth = picos((await idle()).cost_usd)
  const total = await until('no money is held', async () => {
    const { budgets } = JSON.parse(await seawall('budget', 'show'))
    const found = budgets.find(({ scope, window }) => scope === 'global' && window === 'total')
    return found.holds === 0 && picos(found.held_usd) === 0n && found
  })
  const all = await events()
  const actions = (kinds) => all.filter((event) => kinds.includes(event.kind)).map((event) => event.action).sort()
  assert.deepEqual(actions(ENDS), actions(['action.admitted']))
  const settled = all.filter((event) => ENDS.includes(event.kind)).map((event) => picos(event.data.cost_usd ?? '0'))
  assert.equal(picos(total.spent_usd), settled.reduce((sum, cost) => sum + cost, 0n))
  assert.ok(picos(total.spent_usd) >= truth)
}
