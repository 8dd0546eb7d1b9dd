import t from 'tap'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { fileTokens, guardedRead, guardedReplace } from '../../src/guard/index.ts'
import { temporaryFolder } from '../storage/temporary-folder.ts'
import { keepsHighestTokens } from './tokens-conformance.ts'

t.test('files', (t) => keepsHighestTokens(t, fileTokens({ folder: temporaryFolder(t) }), 15))

t.test('a file is replaced by the same or a later holder, and refuses a former one', async (t) => {
  const path = join(temporaryFolder(t), 'file')
  await guardedReplace({ path, token: 33 }, 'first')
  t.equal(readFileSync(path, 'utf8'), 'first')
  await guardedReplace({ path, token: 34 }, new Uint8Array([104, 105]))
  await guardedReplace({ path, token: 34 }, 'again')
  await t.rejects(guardedReplace({ path, token: 33 }, 'late'), {
    code: 'token_stale',
    details: { token: 33, highest: 34 },
  })
  t.equal(readFileSync(path, 'utf8'), 'again')
  t.same(readdirSync(`${path}.fence`), ['token-0000000000000034'], 'and leaves nothing behind')
})

t.test('a holder that has read is not overtaken by a former one', async (t) => {
  const path = join(temporaryFolder(t), 'file')
  t.equal(await guardedRead({ path, token: 33 }), null)
  await guardedReplace({ path, token: 33 }, 'balance 1')
  t.equal(String(await guardedRead({ path, token: 34 })), 'balance 1')
  await t.rejects(guardedReplace({ path, token: 33 }, 'balance 2'), { code: 'token_stale' })
  await t.rejects(guardedRead({ path, token: 33 }), { code: 'token_stale' })
})

t.test('permissions stay, and every name of a file has the same guard', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'file')
  writeFileSync(path, 'before')
  chmodSync(path, 0o640)
  symlinkSync(path, join(folder, 'link'))
  await guardedReplace({ path: join(folder, 'link'), token: 34 }, 'after')
  t.equal(statSync(path).mode & 0o777, 0o640)
  t.equal(readFileSync(path, 'utf8'), 'after')
  await t.rejects(guardedReplace({ path: join(folder, '.', 'file'), token: 33 }, 'late'), { code: 'token_stale' })
})

t.test('what cannot be written leaves no attempt behind, and the error of the file system comes through', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'folder')
  mkdirSync(path)
  await t.rejects(guardedReplace({ path, token: 33 }, 'text'), { code: 'EISDIR' })
  t.same(readdirSync(`${path}.fence`), ['token-0000000000000033'])
  await t.rejects(guardedReplace({ path: join(folder, 'none', 'file'), token: 33 }, 'text'), { code: 'ENOENT' })
  rmSync(join(folder, 'none'), { force: true })
  await t.rejects(guardedReplace({ path, token: 0 }, 'text'), { code: 'invalid_token' })
})

t.test('of many processes that write at once, with pauses and deaths, none writes after a higher token', async (t) => {
  const path = join(temporaryFolder(t), 'file')
  const writer = resolve(fileURLToPath(import.meta.url), '../file-writer.js')
  const writers = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, [writer, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    // One of them is killed, and is still written to.
    child.stdin.on('error', () => {})
    return child
  })
  const said: string[] = []
  const ended = writers.map(async ({ stdout }) => {
    for await (const line of createInterface({ input: stdout })) said.push(line)
  })
  const count = 120
  for (let n = 0; n < count; n++) {
    const token = ((n * 37) % count) + 1
    writers[n % writers.length]?.stdin.write(`${token}\n`)
  }
  writers[0]?.kill('SIGSTOP')
  await until(() => said.length > 20)
  writers[0]?.kill('SIGCONT')
  writers[1]?.kill('SIGSTOP')
  await until(() => said.length > 40)
  writers[1]?.kill('SIGCONT')
  writers[2]?.kill('SIGKILL')
  for (const { stdin } of writers) stdin.end()
  await Promise.all(ended)

  const landed = readFileSync(path, 'utf8').split(' ').map(Number)
  t.same(
    landed,
    landed.toSorted((one, other) => one - other),
    'each read what the one before it had written',
  )
  for (const line of said.filter((one) => one.startsWith('written'))) {
    t.ok(landed.includes(Number(line.split(' ')[1])), line)
  }
  const last = landed.at(-1) ?? 0
  if (last > 1) await t.rejects(guardedReplace({ path, token: last - 1 }, 'late'), { code: 'token_stale' })
})

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}
