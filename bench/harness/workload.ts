/** The function that Runlet and its peers run: small, so that what is measured is the way to it. */
export const source = "export const handler = async (event) => ({ hello: event.name });";

export const event = JSON.stringify({ name: "Ada" });

/** The same as a program that answers on standard output, for peers that have no channel. */
export const script = `const handler = async (event) => ({ hello: event.name });
handler(${event}).then((answer) => console.log(JSON.stringify(answer)));`;
