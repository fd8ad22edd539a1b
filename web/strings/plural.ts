/** Numbers in sentences, by the plural rules of each language (https://cldr.unicode.org/index/cldr-spec/plural-rules). */

/** A function that puts a number into the form that its language has for it; `#` stands for the number. */
export function plural (locale: string, forms: Partial<Record<Intl.LDMLPluralRule, string>> & { readonly other: string }): (number: number) => string {
  const rules = new Intl.PluralRules(locale)
  const format = new Intl.NumberFormat(locale)
  return (number) => (forms[rules.select(number)] ?? forms.other).replace('#', format.format(number))
}
