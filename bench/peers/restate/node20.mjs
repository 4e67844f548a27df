// The SDK of Restate asks for what Node has since 22; with this Node 20 does too.

Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
