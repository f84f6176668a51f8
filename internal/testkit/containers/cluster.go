package containers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
)

// Cluster is some brokers that replicate each other's topics.
type Cluster struct {
	Brokers []*Kafka
	network *testcontainers.DockerNetwork
}

// StartCluster starts n brokers on a network of their own and waits until all
// serve. The caller ends them with Close.
func StartCluster(ctx context.Context, n int, cfg KafkaConfig) (_ *Cluster, err error) {
	c := &Cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.network, err = network.New(ctx); err != nil {
		return nil, fmt.Errorf("make a network for brokers: %w", err)
	}
	voters := make([]string, n)
	for i := range n {
		voters[i] = fmt.Sprintf("%d@%s:%d", i+1, hostOf(i), controllerPort)
	}
	for i := range n {
		k, err := newBroker(ctx, cfg, member{
			id: i + 1, host: hostOf(i), voters: strings.Join(voters, ","), network: c.network.Name, replicas: n,
		})
		if err != nil {
			return nil, err
		}
		c.Brokers = append(c.Brokers, k)
	}
	for _, k := range c.Brokers {
		if err := k.await(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func hostOf(i int) string { return fmt.Sprintf("broker-%d", i+1) }

// Addrs gives the addresses of all brokers.
func (c *Cluster) Addrs() []string {
	out := make([]string, len(c.Brokers))
	for i, k := range c.Brokers {
		out[i] = k.Addr()
	}
	return out
}

// Close removes the brokers and their network.
func (c *Cluster) Close() error {
	var err error
	for _, k := range c.Brokers {
		err = errors.Join(err, k.Close())
	}
	if c.network != nil {
		ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
		defer cancel()
		err = errors.Join(err, c.network.Remove(ctx))
	}
	return err
}
