import t from 'tap'
import { cut, printable, tableLines, widthOf } from '../../src/cli/table.ts'

t.test('columns are as wide as their widest cell, and lines have no blanks at the end', async (t) => {
  t.same(
    tableLines(
      ['LOCK', 'HOLDER', 'IN LINE'],
      [
        ['nightly', 'worker-7', 12],
        ['a', null, 0],
      ],
    ),
    ['LOCK     HOLDER    IN LINE', 'nightly  worker-7  12', 'a        -         0'],
  )
  t.same(tableLines(['A', 'B'], [['x', '']]), ['A  B', 'x'])
})

t.test('what others have named does not reach the terminal as a command to it', async (t) => {
  t.equal(printable('a\u001b[2Jb\nc\u0007\u009b'), 'a\\x1b[2Jb\\x0ac\\x07\\x9b')
  t.equal(printable('evil\u202egnp.exe'), 'evil\\u202egnp.exe')
  t.equal(printable('größe 名前 🔒'), 'größe 名前 🔒')
  t.same(tableLines(['A'], [['\u001b]0;owned\u0007']]), ['A', '\\x1b]0;owned\\x07'])
})

t.test('wide characters take two columns, accents none', async (t) => {
  t.equal(widthOf('名前'), 4)
  t.equal(widthOf('🔒'), 2)
  t.equal(widthOf('e\u0301'), 1)
  t.same(
    tableLines(
      ['A', 'B'],
      [
        ['名', 1],
        ['abc', 2],
      ],
    ),
    ['A    B', '名   1', 'abc  2'],
  )
})

t.test('what is too wide is cut, and says so', async (t) => {
  t.equal(cut('abcdef', 6), 'abcdef')
  t.equal(cut('abcdef', 5), 'abcd…')
  t.equal(cut('名前名前', 5), '名前…')
  t.equal(cut('名前名前', 4), '名…')
  t.equal(cut('abc', 0), '')
})
