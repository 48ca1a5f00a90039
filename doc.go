// Package explaind holds the words that every other package speaks: Model, Spec, Tensor, Heatmap, Method, Target and
// Error. It imports nothing but the standard library, so that no room of the house has to know another one.
//
// The life of an explanation has three phases:
//
//   - load: package tfmodel reads a SavedModel, flattens and freezes it, finds its logits, layers and head,
//     differentiates it once and keeps the result as one immutable graph;
//   - run: a Model feeds pixels to that graph and fetches probabilities, logits, activations A and gradients ∂S/∂A;
//   - explain: package explain turns such Evidence into a Heatmap by plain arithmetic, one method a file; some methods ask
//     the Model again, about other images.
//
// Package imaging makes model input out of image files, package render makes pictures out of heatmaps, package
// faithfulness measures how much a heatmap has to do with what the model looks at, package repository keeps named and
// versioned models, package service tells the story of one request and its sub-packages speak one protocol each.
package explaind
