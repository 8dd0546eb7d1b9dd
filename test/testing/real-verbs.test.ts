import t from 'tap'
import { testVerbs } from './verbs.ts'

testVerbs(t, 'real')
