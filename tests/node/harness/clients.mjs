// Which major of a client library is tested: the one that $CLIENT_MAJORS asks for, `older` or `newer`, else the newest
// that this Node can run. tests/run.sh asks for both in turn, for a newer Node runs the older majors too.

const canRunNewer = Number(process.versions.node.split('.')[0]) >= 22

export const MAJORS = process.env.CLIENT_MAJORS ?? (canRunNewer ? 'newer' : 'older')

const ALL = {
  newer: {
    openai: 'openai-7',
    openaiZod: 'openai-7/helpers/zod',
    ai: 'ai-7',
    aiOpenai: 'ai-sdk-openai-4',
    aiCompatible: 'ai-sdk-openai-compatible-3',
    aiAnthropic: 'ai-sdk-anthropic-4',
  },
  older: {
    openai: 'openai',
    openaiZod: 'openai/helpers/zod',
    ai: 'ai',
    aiOpenai: '@ai-sdk/openai',
    aiCompatible: '@ai-sdk/openai-compatible',
    aiAnthropic: '@ai-sdk/anthropic',
  },
}

export const NAMES = ALL[MAJORS]
