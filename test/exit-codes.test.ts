import t from 'tap'
import { exitCodes } from '../src/exit-codes.ts'

t.test('every way to end has a code of its own, and none looks like an orderly stop or a signal', (t) => {
  const codes = Object.values(exitCodes).map(({ code }) => code)
  t.equal(new Set(codes).size, codes.length)
  for (const code of codes) t.ok(code > 0 && code < 126, String(code))
  for (const { meaning } of Object.values(exitCodes)) t.match(meaning, /\w{3}/)
  t.end()
})
