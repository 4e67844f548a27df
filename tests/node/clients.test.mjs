// Which clients the other files have tested. Which majors those are must not hang on the Node that happens to be there.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import { MAJORS, NAMES } from './harness/clients.mjs'

const read = async (path) => JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8'))

test(`the ${MAJORS} majors of the clients are tested, as they are pinned`, async (t) => {
  const { dependencies } = await read('package.json')
  for (const name of [...Object.values(NAMES).filter((name) => name in dependencies), '@anthropic-ai/sdk']) {
    const { version } = await read(`node_modules/${name}/package.json`)
    assert.equal(dependencies[name].split('@').at(-1), version)
    t.diagnostic(`${name} ${version} on Node ${process.versions.node}`)
  }
})
