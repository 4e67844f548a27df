// OpenAI's own client: chat completions and responses.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { z } from 'zod'

import { NAMES } from './harness/clients.mjs'
import * as prompts from './harness/prompts.mjs'
import { assertTold, picos, price, startStack, withOwnStack } from './harness/stack.mjs'

const { default: OpenAI } = await import(NAMES.openai)
const { zodResponseFormat, zodTextFormat } = await import(NAMES.openaiZod)

const model = prompts.MODEL
const weather = {
  name: prompts.TOOL,
  description: prompts.TOOL_DESCRIPTION,
  parameters: prompts.TOOL_SCHEMA,
  strict: true,
}
const Person = z.object({ name: z.string(), age: z.number().int() })
const ask = (content) => [{ role: 'user', content }]

let stack
let poor
let client

before(async () => {
  stack = await startStack()
  poor = await startStack({ budget: '0.000001' })
  client = connect(stack)
})
after(async () => {
  await stack?.stop()
  await poor?.stop()
})

const connect = ({ url }, options = {}) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-dummy', maxRetries: 0, ...options })

async function collect(stream) {
  const seen = []
  for await (const item of stream) seen.push(item)
  return seen
}

test('a plain answer comes with its price', async () => {
  const record = stack.fromNow()
  const request = client.chat.completions.create({ model, messages: ask(prompts.text('good morning')) })
  const { data, response } = await request.withResponse()
  assert.equal(data.choices[0].message.content, 'good morning')
  const call = await record.one()
  assertTold(stack, response.headers, call)
  assert.deepEqual(call.tokens, [data.usage.prompt_tokens, data.usage.completion_tokens])
  assert.equal(call.cost, price(call.tokens))
  assert.equal(picos(response.headers.get('x-seawall-cost-usd')), call.cost)
})

test('a stream is settled exactly without showing usage that nobody asked for', async () => {
  const record = stack.fromNow()
  const messages = ask('sim:text one two three\nsim:chunk 1')
  const { data, response } = await client.chat.completions.create({ model, messages, stream: true }).withResponse()
  const chunks = await collect(data)
  assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join(''), 'one two three')
  assert.ok(chunks.every((chunk) => !chunk.usage))
  const call = await record.one()
  assertTold(stack, response.headers, call)
  assert.equal(response.headers.get('x-seawall-cost-usd'), null)
  assert.equal(call.isEstimated, false)
  assert.equal(call.cost, price(call.tokens))
})

test('a stream shows usage when it is asked for', async () => {
  const record = stack.fromNow()
  const messages = ask(prompts.text('hello'))
  const options = { model, messages, stream: true, stream_options: { include_usage: true } }
  const { usage } = (await collect(await client.chat.completions.create(options))).at(-1)
  assert.deepEqual((await record.one()).tokens, [usage.prompt_tokens, usage.completion_tokens])
})

test('a tool is called by the runner of the client and its result answered', async () => {
  const record = stack.fromNow()
  const asked = []
  const answer = (question) => (asked.push(question), prompts.TOOL_RESULT)
  const tools = [{ type: 'function', function: { ...weather, parse: JSON.parse, function: answer } }]
  const messages = ask(prompts.TOOL_THEN_TEXT)
  const runner = client.chat.completions.runTools({ model, messages, tools, stream: true })
  assert.equal(await runner.finalContent(), prompts.CONCLUSION)
  assert.deepEqual(asked, [prompts.QUESTION])
  assert.ok((await record.calls(2)).every((call) => !call.isEstimated))
})

test('a structured answer is parsed', async () => {
  const response_format = zodResponseFormat(Person, 'person')
  const completion = await client.chat.completions.parse({ model, messages: ask('Who is it?'), response_format })
  assert.ok(Person.safeParse(completion.choices[0].message.parsed).success)
})

for (const [status, name] of [
  [400, 'BadRequestError'],
  [401, 'AuthenticationError'],
  [404, 'NotFoundError'],
  [429, 'RateLimitError'],
  [500, 'InternalServerError'],
]) {
  test(`an error ${status} of the provider is a ${name}`, () =>
    withOwnStack(async (own) => {
      const record = own.fromNow()
      const request = connect(own).chat.completions.create({ model, messages: ask(prompts.error(status)) })
      const raised = await request.catch((error) => error)
      assert.ok(raised instanceof OpenAI[name], `${raised}`)
      const call = await record.one()
      assert.equal(raised.headers.get('x-seawall-action'), call.action)
      // A provider may have read the prompt before it failed, and bills what it likes of a 5xx.
      assert.deepEqual([call.status, call.cost > 0n], [status, status >= 500])
    }))
}

test('a spent budget is refused with its numbers and not sent', async () => {
  const record = poor.fromNow()
  const request = connect(poor, { maxRetries: 2 }).chat.completions.create({ model, messages: ask('no') })
  const raised = await request.catch((error) => error)
  assert.ok(raised instanceof OpenAI.APIError, `${raised}`)
  assert.deepEqual([raised.status, raised.code], [402, 'insufficient_quota'])
  assert.deepEqual([raised.error.seawall.code, raised.error.seawall.scope], ['BUDGET_EXCEEDED', 'global'])
  assert.equal((await record.denied()).status, 402)
  assert.equal((await poor.stats()).requests, 0)
})

test('an unknown path is not found', async () => {
  const lost = new OpenAI({ baseURL: `${stack.url}/nowhere`, apiKey: 'sk-dummy', maxRetries: 0 })
  await assert.rejects(lost.chat.completions.create({ model, messages: ask('hello') }), OpenAI.NotFoundError)
})

test('a body that is no JSON is a bad request and not sent', async () => {
  const { requests } = await stack.stats()
  const broken = { body: '{"model":', headers: { 'content-type': 'application/json' } }
  const raised = await client.post('/chat/completions', broken).catch((error) => error)
  assert.ok(raised instanceof OpenAI.BadRequestError, `${raised}`)
  assert.ok(raised.error.seawall.code)
  assert.equal((await stack.stats()).requests, requests)
})

test('a client that gives up waiting is settled', async () => {
  const record = stack.fromNow()
  const { cancelled } = await stack.stats()
  const request = client.chat.completions.create({ model, messages: ask(prompts.HANG) }, { timeout: 500 })
  await assert.rejects(request, OpenAI.APIConnectionTimeoutError)
  assert.equal((await record.one()).isEstimated, true)
  assert.equal((await stack.idle()).cancelled, cancelled + 1)
})

test('a cancelled stream is cut upstream and settled from what was seen', async () => {
  const record = stack.fromNow()
  const { cancelled } = await stack.stats()
  const stream = await client.chat.completions.create({ model, messages: ask(prompts.LONG), stream: true })
  let seen = 0
  for await (const _ of stream) if (++seen === 5) break
  const call = await record.one()
  assert.equal(call.isEstimated, true)
  assert.ok(call.tokens[1] > 0 && call.tokens[1] < prompts.LONG_TOKENS)
  assert.equal((await stack.idle()).cancelled, cancelled + 1)
})

test('a stream that breaks off is an error and never a silent end', () =>
  withOwnStack(async (own) => {
    const record = own.fromNow()
    const stream = await connect(own).chat.completions.create({ model, messages: ask(prompts.BROKEN), stream: true })
    await assert.rejects(collect(stream), OpenAI.APIError)
    assert.equal((await record.one()).isEstimated, true)
  }))

test('a response is streamed in order and settled exactly', async () => {
  const record = stack.fromNow()
  const input = prompts.text('one two three')
  const events = await collect(await client.responses.create({ model, input, stream: true }))
  assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()])
  const final = events.at(-1)
  assert.deepEqual([final.type, text(final.response)], ['response.completed', 'one two three'])
  const { usage } = final.response
  assert.deepEqual((await record.one()).tokens, [usage.input_tokens, usage.output_tokens])
})

const text = ({ output }) => output.flatMap((item) => item.content ?? []).map((part) => part.text).join('')

test('a tool of a response is called and its result answered', async () => {
  const record = stack.fromNow()
  const tools = [{ type: 'function', ...weather }]
  const input = ask(prompts.TOOL_THEN_TEXT)
  const first = await client.responses.create({ model, input, tools })
  const wanted = first.output.find((item) => item.type === 'function_call')
  assert.deepEqual([wanted.name, JSON.parse(wanted.arguments)], [prompts.TOOL, prompts.QUESTION])
  const result = { type: 'function_call_output', call_id: wanted.call_id, output: prompts.TOOL_RESULT }
  const second = await client.responses.create({ model, input: [...input, ...first.output, result], tools })
  assert.equal(second.output_text, prompts.CONCLUSION)
  assert.equal((await record.calls(2)).length, 2)
})

test('a structured response is parsed', async () => {
  const format = zodTextFormat(Person, 'person')
  const response = await client.responses.parse({ model, input: 'Who?', text: { format } })
  assert.ok(Person.safeParse(response.output_parsed).success)
})

test('embeddings are unit vectors and metered', async () => {
  const record = stack.fromNow()
  const { data, usage } = await client.embeddings.create({ model: 'sim-embed', input: ['left', 'right'] })
  for (const { embedding } of data) {
    const length = embedding.reduce((sum, value) => sum + value * value, 0)
    assert.ok(Math.abs(length - 1) < 1e-3, `${length}`)
  }
  assert.deepEqual((await record.one()).tokens, [usage.prompt_tokens, 0])
})

test('models are listed', async () => {
  const names = []
  for await (const { id } of client.models.list()) names.push(id)
  assert.ok(names.length > 0)
})
