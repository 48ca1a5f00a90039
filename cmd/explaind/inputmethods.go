package main

import (
	"slices"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// inputLayer stands where a layer's name would, for methods that look at the input and at no layer.
const inputLayer = "input"

// layerOf names what an explanation looked at. The server repeats the layer that was asked for, whatever the method is.
func (c *client) layerOf(x *pb.Explanation) string {
	if c.ofInput(x) {
		return inputLayer
	}
	return x.GetLayer()
}

func (c *client) ofInput(x *pb.Explanation) bool {
	return slices.Contains(c.model.GetInputMethods(), x.GetMethod())
}

// distinct leaves out what a method that looks at no layer repeats for each of several layers.
func (c *client) distinct(list []*pb.Explanation) []*pb.Explanation {
	type key struct {
		method pb.Method
		class  int32
	}
	seen := map[key]string{}
	return slices.DeleteFunc(slices.Clone(list), func(x *pb.Explanation) bool {
		if !c.ofInput(x) {
			return false
		}
		k := key{x.GetMethod(), x.GetTarget().GetClassIndex()}
		first, again := seen[k]
		if !again {
			seen[k] = x.GetLayer()
		}
		return again && first != x.GetLayer()
	})
}
