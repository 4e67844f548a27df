// What to ask the simulated provider for, in the words of its directives.

export const MODEL = 'sim-1'

/** No answer, not even headers. */
export const HANG = 'sim:hang'

/** A stream of twenty seconds, and what it would have in the end: four bytes are a token. */
export const LONG = 'sim:pace 20ms\nsim:repeat 1000 word'
export const LONG_TOKENS = 1250

/** A stream that breaks in the middle. */
export const BROKEN = 'sim:repeat 50 word\nsim:disconnect after=5'

export const TOOL = 'get_weather'
export const TOOL_DESCRIPTION = 'The weather of the coming days.'
export const TOOL_SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city', 'days'],
  additionalProperties: false,
}
export const TOOL_RESULT = '-4 degrees, snow'
export const QUESTION = { city: 'Oslo', days: 3 }
export const CONCLUSION = 'Take a warm coat.'

/** Answer these words. */
export const text = (words) => `sim:text ${words}`

/** Call the weather tool; after its result, answer the conclusion. */
export const TOOL_THEN_TEXT = `How is the weather?\nsim:tool ${TOOL} ${JSON.stringify(QUESTION)}\n${text(CONCLUSION)}`

/** Answer with an error that the client may repeat at once. */
export const error = (status) => `sim:error ${status} retry-after=0`
