// The AI SDK, with each of its providers that speaks one of our wire formats.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { z } from 'zod'

import { NAMES } from './harness/clients.mjs'
import * as prompts from './harness/prompts.mjs'
import { assertTold, price, startStack, withOwnStack } from './harness/stack.mjs'

const { APICallError, embed, generateText, Output, stepCountIs, streamText, tool } = await import(NAMES.ai)
const { createOpenAI } = await import(NAMES.aiOpenai)
const { createOpenAICompatible } = await import(NAMES.aiCompatible)
const { createAnthropic } = await import(NAMES.aiAnthropic)

const apiKey = 'sk-dummy'
const PROVIDERS = {
  'openai chat': (baseURL) => createOpenAI({ baseURL, apiKey }).chat(prompts.MODEL),
  'openai responses': (baseURL) => createOpenAI({ baseURL, apiKey }).responses(prompts.MODEL),
  'openai-compatible': (baseURL) =>
    createOpenAICompatible({ name: 'gateway', baseURL, apiKey, supportsStructuredOutputs: true })(prompts.MODEL),
  anthropic: (baseURL) => createAnthropic({ baseURL, apiKey })(prompts.MODEL),
}

let stack
let poor

before(async () => {
  stack = await startStack()
  poor = await startStack({ budget: '0.000001' })
})
after(async () => {
  await stack?.stop()
  await poor?.stop()
})

for (const [name, connect] of Object.entries(PROVIDERS)) {
  describe(name, () => {
    const model = (to = stack) => connect(`${to.url}/v1`)
    const ask = (prompt, more = {}) => ({ model: model(), prompt, maxRetries: 0, ...more })

    test('a plain answer is metered', async () => {
      const record = stack.fromNow()
      const answer = await generateText(ask(prompts.text('good morning')))
      assert.equal(answer.text, 'good morning')
      const call = await record.one()
      assertTold(stack, answer.response.headers, call)
      assert.deepEqual(call.tokens, [answer.usage.inputTokens, answer.usage.outputTokens])
      assert.equal(call.cost, price(call.tokens))
    })

    test('a stream arrives in pieces and is settled exactly', async () => {
      const record = stack.fromNow()
      const pieces = []
      for await (const piece of streamText(ask('sim:text one two three\nsim:chunk 1')).textStream) pieces.push(piece)
      assert.equal(pieces.join(''), 'one two three')
      assert.ok(pieces.length > 3)
      const call = await record.one()
      assert.equal(call.isEstimated, false)
      assert.equal(call.cost, price(call.tokens))
    })

    test('a tool is called and its result answered, streamed too', async () => {
      for (const run of [generateText, (options) => streamText(options)]) {
        const record = stack.fromNow()
        const asked = []
        const inputSchema = z.object({ city: z.string(), days: z.number().int() })
        const execute = async (question) => (asked.push(question), prompts.TOOL_RESULT)
        const tools = { [prompts.TOOL]: tool({ description: prompts.TOOL_DESCRIPTION, inputSchema, execute }) }
        const answer = await run(ask(prompts.TOOL_THEN_TEXT, { tools, stopWhen: stepCountIs(4) }))
        assert.equal(await answer.text, prompts.CONCLUSION)
        assert.deepEqual(asked, [prompts.QUESTION])
        assert.equal((await record.calls(2)).length, 2)
      }
    })

    test('a structured answer is parsed', async () => {
      const schema = z.object({ name: z.string(), age: z.number().int() })
      const { output } = await generateText(ask('Who is it?', { output: Output.object({ schema }) }))
      assert.ok(schema.safeParse(output).success)
    })

    for (const status of [400, 401, 429, 500]) {
      test(`an error ${status} of the provider is an error of the call`, () =>
        withOwnStack(async (own) => {
          const record = own.fromNow()
          const raised = await generateText(ask(prompts.error(status), { model: model(own) })).catch((error) => error)
          assert.ok(APICallError.isInstance(raised), `${raised}`)
          assert.equal(raised.statusCode, status)
          assert.equal((await record.one()).status, status)
        }))
    }

    test('a spent budget is refused and not sent', async () => {
      const record = poor.fromNow()
      const raised = await generateText(ask(prompts.text('no'), { model: model(poor) })).catch((error) => error)
      assert.ok(APICallError.isInstance(raised), `${raised}`)
      assert.equal(raised.statusCode, 402)
      assert.equal(raised.isRetryable, false)
      assert.match(raised.responseBody, /BUDGET_EXCEEDED/)
      assert.equal((await record.denied()).status, 402)
      assert.equal((await poor.stats()).requests, 0)
    })

    test('a call that is given up is settled', async () => {
      const record = stack.fromNow()
      const { cancelled } = await stack.stats()
      await assert.rejects(generateText(ask(prompts.HANG, { abortSignal: AbortSignal.timeout(500) })))
      assert.equal((await record.one()).isEstimated, true)
      assert.equal((await stack.idle()).cancelled, cancelled + 1)
    })

    test('a cancelled stream is cut upstream and settled from what was seen', async () => {
      const record = stack.fromNow()
      const { cancelled } = await stack.stats()
      const abort = new AbortController()
      const { textStream } = streamText(ask(prompts.LONG, { abortSignal: abort.signal, onError: () => {} }))
      let seen = 0
      for await (const _ of textStream) if (++seen === 5) abort.abort()
      const call = await record.one()
      assert.equal(call.isEstimated, true)
      assert.ok(call.tokens[1] > 0 && call.tokens[1] < prompts.LONG_TOKENS)
      assert.equal((await stack.idle()).cancelled, cancelled + 1)
    })
  })
}

test('embeddings come through', async () => {
  const record = stack.fromNow()
  const model = createOpenAI({ baseURL: `${stack.url}/v1`, apiKey }).embedding('sim-embed')
  const { embedding, usage } = await embed({ model, value: 'left', maxRetries: 0 })
  assert.ok(embedding.length > 0)
  assert.deepEqual((await record.one()).tokens, [usage.tokens, 0])
})
