// Adds what needs a script: the browser's time zone and language, deleting, showing the leap-day rule when it applies.

const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeZone: 'UTC' })
for (const time of document.querySelectorAll('time')) {
  time.lang = dates.resolvedOptions().locale
  time.textContent = dates.format(new Date(`${time.dateTime}T00:00:00Z`))
}

const here = Intl.DateTimeFormat().resolvedOptions().timeZone
for (const field of document.querySelectorAll('[data-zone]')) {
  if (!field.value && field.getAttribute('aria-invalid') !== 'true' && here !== 'Etc/Unknown') field.value = here ?? ''
}
const zones = Intl.supportedValuesOf?.('timeZone') ?? []
document.querySelector('#zones').append(...zones.map(zone => new Option('', zone)))

const born = document.querySelector('#save-dateOfBirth')
const explain = () => document.querySelector('#leap').classList.toggle('matters', born.value.endsWith('-02-29'))
born.addEventListener('input', explain)
explain()

document.querySelector('[aria-invalid="true"]')?.focus()

const button = document.querySelector('#delete')
button?.addEventListener('click', async () => {
  const name = button.dataset.name
  if (!confirm(`Delete the birthday of ${name}? This cannot be undone.`)) return
  const failed = document.querySelector('#delete-error')
  try {
    const response = await fetch(`/hello/${name}`, { method: 'DELETE' })
    if (!response.ok) {
      // A load balancer's own error is no JSON.
      const problem = await response.json().catch(() => null)
      throw new Error(problem?.detail ?? `the server answered ${response.status}; try again in a moment`)
    }
    const said = Object.assign(document.createElement('p'), {
      className: 'card', tabIndex: -1, textContent: `The birthday of ${name} is deleted.`,
    })
    document.querySelector('#status').replaceChildren(said)
    // The button that had it is gone.
    said.focus()
    document.title = 'Birthdays'
    history.replaceState(null, '', '/')
  } catch (error) {
    failed.textContent = error.message
    failed.hidden = false
  }
})
