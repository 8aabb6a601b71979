// Provisioner makes a volume for each claim: a folder of the one node, as a "local" PersistentVolume.
//
// Unlike the host paths that kube-controller-manager can provide, local volumes get their owner from a pod's fsGroup,
// as volumes do in real clusters: a pod that forgets fsGroup fails here as it would there.
package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

type local struct{ root, node string }

// Provision makes the folder and describes it; the folder is called like the volume.
func (l local) Provision(_ context.Context, options controller.ProvisionOptions) (*core.PersistentVolume, controller.ProvisioningState, error) {
	folder := filepath.Join(l.root, options.PVName)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	here := core.NodeSelectorRequirement{Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{l.node}}
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: options.PVName},
		Spec: core.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			VolumeMode:                    options.PVC.Spec.VolumeMode,
			Capacity:                      core.ResourceList{core.ResourceStorage: options.PVC.Spec.Resources.Requests[core.ResourceStorage]},
			PersistentVolumeSource:        core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: folder}},
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{
				NodeSelectorTerms: []core.NodeSelectorTerm{{MatchExpressions: []core.NodeSelectorRequirement{here}}},
			}},
		},
	}
	return volume, controller.ProvisioningFinished, nil
}

// Delete removes the folder of a released volume, and nothing outside the root.
func (l local) Delete(_ context.Context, volume *core.PersistentVolume) error {
	return os.RemoveAll(filepath.Join(l.root, filepath.Base(volume.Name)))
}

func main() {
	config := flag.String("kubeconfig", "", "kubeconfig of a user who may write PersistentVolumes")
	name := flag.String("provisioner", "", "the StorageClass's provisioner")
	root := flag.String("root", "", "the folder that holds the volumes")
	node := flag.String("node", "", "the node's host name")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	rest, err := clientcmd.BuildConfigFromFlags("", *config)
	if err != nil {
		klog.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		klog.Fatal(err)
	}
	once := controller.LeaderElection(false)
	controller.NewProvisionController(ctx, client, *name, local{*root, *node}, once).Run(ctx)
}
