// Anthropic's own client: messages.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import Anthropic from '@anthropic-ai/sdk'

import * as prompts from './harness/prompts.mjs'
import { assertTold, picos, price, startStack, withOwnStack } from './harness/stack.mjs'

const settings = { model: prompts.MODEL, max_tokens: 4000 }
const tools = [{ name: prompts.TOOL, description: prompts.TOOL_DESCRIPTION, input_schema: prompts.TOOL_SCHEMA }]
const ask = (content) => [{ role: 'user', content }]

let stack
let poor
let client

before(async () => {
  stack = await startStack()
  poor = await startStack({ budget: '0.000001' })
  client = connect(stack.url)
})
after(async () => {
  await stack?.stop()
  await poor?.stop()
})

const connect = (baseURL, options = {}) => new Anthropic({ baseURL, apiKey: 'sk-ant-dummy', maxRetries: 0, ...options })

test('a plain answer comes with its price', async () => {
  const record = stack.fromNow()
  const request = client.messages.create({ ...settings, messages: ask(prompts.text('good morning')) })
  const { data, response } = await request.withResponse()
  assert.equal(data.content[0].text, 'good morning')
  const call = await record.one()
  assertTold(stack, response.headers, call)
  assert.deepEqual(call.tokens, [data.usage.input_tokens, data.usage.output_tokens])
  assert.equal(call.cost, price(call.tokens))
  assert.equal(picos(response.headers.get('x-seawall-cost-usd')), call.cost)
})

test('a stream is put together by the client and settled exactly', async () => {
  const record = stack.fromNow()
  const pieces = []
  const stream = client.messages.stream({ ...settings, messages: ask('sim:text one two three\nsim:chunk 1') })
  stream.on('text', (piece) => pieces.push(piece))
  const message = await stream.finalMessage()
  assert.equal(pieces.join(''), 'one two three')
  assert.equal(message.content[0].text, 'one two three')
  const call = await record.one()
  assertTold(stack, stream.response.headers, call)
  assert.deepEqual(call.tokens, [message.usage.input_tokens, message.usage.output_tokens])
  assert.equal(call.isEstimated, false)
})

test('a streamed tool call is put together and its result answered', async () => {
  const record = stack.fromNow()
  const messages = ask(prompts.TOOL_THEN_TEXT)
  const first = await client.messages.stream({ ...settings, messages, tools }).finalMessage()
  assert.equal(first.stop_reason, 'tool_use')
  const wanted = first.content.find((block) => block.type === 'tool_use')
  assert.deepEqual([wanted.name, wanted.input], [prompts.TOOL, prompts.QUESTION])
  const result = { type: 'tool_result', tool_use_id: wanted.id, content: prompts.TOOL_RESULT }
  messages.push({ role: 'assistant', content: first.content }, { role: 'user', content: [result] })
  const second = await client.messages.create({ ...settings, messages, tools })
  assert.equal(second.content[0].text, prompts.CONCLUSION)
  assert.ok((await record.calls(2)).every((call) => call.status === 200))
})

test('tokens are counted as they will be charged', async () => {
  const messages = ask(prompts.text('count me'))
  const { input_tokens } = await client.messages.countTokens({ model: prompts.MODEL, messages })
  assert.equal(input_tokens, (await client.messages.create({ ...settings, messages })).usage.input_tokens)
})

for (const [status, name] of [
  [400, 'BadRequestError'],
  [401, 'AuthenticationError'],
  [429, 'RateLimitError'],
  [500, 'InternalServerError'],
  [529, 'InternalServerError'],
]) {
  test(`an error ${status} of the provider is an ${name}`, () =>
    withOwnStack(async (own) => {
      const record = own.fromNow()
      const request = connect(own.url).messages.create({ ...settings, messages: ask(prompts.error(status)) })
      const raised = await request.catch((error) => error)
      assert.ok(raised instanceof Anthropic[name], `${raised}`)
      assert.equal(raised.status, status)
      const call = await record.one()
      // A provider may have read the prompt before it failed, and bills what it likes of a 5xx.
      assert.deepEqual([call.status, call.cost > 0n], [status, status >= 500])
    }))
}

test('a spent budget is refused with its numbers and not sent', async () => {
  const record = poor.fromNow()
  const request = connect(poor.url, { maxRetries: 2 }).messages.create({ ...settings, messages: ask('no') })
  const raised = await request.catch((error) => error)
  assert.ok(raised instanceof Anthropic.PaymentRequiredError, `${raised}`)
  assert.equal(raised.error.error.type, 'billing_error')
  assert.deepEqual([raised.error.seawall.code, raised.error.seawall.scope], ['BUDGET_EXCEEDED', 'global'])
  assert.equal((await record.denied()).status, 402)
  assert.equal((await poor.stats()).requests, 0)
})

test('an unknown path is not found', async () => {
  const request = connect(`${stack.url}/nowhere`).messages.create({ ...settings, messages: ask('hello') })
  await assert.rejects(request, Anthropic.NotFoundError)
})

test('a body that is no JSON is a bad request and not sent', async () => {
  const { requests } = await stack.stats()
  const broken = { body: '{"model":', headers: { 'content-type': 'application/json' } }
  const raised = await client.post('/v1/messages', broken).catch((error) => error)
  assert.ok(raised instanceof Anthropic.BadRequestError, `${raised}`)
  assert.equal(raised.error.error.type, 'invalid_request_error')
  assert.equal((await stack.stats()).requests, requests)
})

test('a client that gives up waiting is settled', async () => {
  const record = stack.fromNow()
  const { cancelled } = await stack.stats()
  const request = client.messages.create({ ...settings, messages: ask(prompts.HANG) }, { timeout: 500 })
  await assert.rejects(request, Anthropic.APIConnectionTimeoutError)
  assert.equal((await record.one()).isEstimated, true)
  assert.equal((await stack.idle()).cancelled, cancelled + 1)
})

test('a cancelled stream is cut upstream and settled from what was seen', async () => {
  const record = stack.fromNow()
  const { cancelled } = await stack.stats()
  const stream = await client.messages.create({ ...settings, messages: ask(prompts.LONG), stream: true })
  let seen = 0
  for await (const event of stream) if (event.type === 'content_block_delta' && ++seen === 5) break
  const call = await record.one()
  assert.equal(call.isEstimated, true)
  assert.ok(call.tokens[1] > 0 && call.tokens[1] < prompts.LONG_TOKENS)
  assert.equal((await stack.idle()).cancelled, cancelled + 1)
})

test('a stream that breaks off is an error and never a silent end', () =>
  withOwnStack(async (own) => {
    const record = own.fromNow()
    const stream = connect(own.url).messages.stream({ ...settings, messages: ask(prompts.BROKEN) })
    await assert.rejects(stream.finalMessage(), Anthropic.AnthropicError)
    assert.equal((await record.one()).isEstimated, true)
  }))
