// Which major of a client library this Node can run: the newest that its `engines` allow.

const isNew = Number(process.versions.node.split('.')[0]) >= 22

export const NAMES = isNew
  ? {
      openai: 'openai-7',
      openaiZod: 'openai-7/helpers/zod',
      ai: 'ai-7',
      aiOpenai: 'ai-sdk-openai-4',
      aiCompatible: 'ai-sdk-openai-compatible-3',
      aiAnthropic: 'ai-sdk-anthropic-4',
    }
  : {
      openai: 'openai',
      openaiZod: 'openai/helpers/zod',
      ai: 'ai',
      aiOpenai: '@ai-sdk/openai',
      aiCompatible: '@ai-sdk/openai-compatible',
      aiAnthropic: '@ai-sdk/anthropic',
    }
